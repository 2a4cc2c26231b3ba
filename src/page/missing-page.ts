import type { Language } from "../problems/catalogue.ts";

/** What `/` shows while the page is not built. */
export function missingPage(language: Language): string {
  const text =
    language === "zh"
      ? {
          title: "聊天页面尚未构建",
          body: "服务正在运行，API 可以正常使用；只有这个页面的文件缺失。",
          remedy: "在安装目录中运行：",
          docs: "API 文档",
        }
      : {
          title: "The chat page is not built",
          body: "The service is running and its API works; only the files of this page are missing.",
          remedy: "In the directory of the installation, run:",
          docs: "API documentation",
        };
  return `<!doctype html>
<html lang="${language === "zh" ? "zh-CN" : "en"}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text.title}</title></head>
<body><h1>${text.title}</h1><p>${text.body}</p><p>${text.remedy} <code>npm install &amp;&amp; npm run build:page</code></p><p><a href="./docs">${text.docs}</a></p></body>
</html>
`;
}
