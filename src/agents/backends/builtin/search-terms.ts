/** One thing a question asks for: found when any of its terms is. */
export interface TermGroup {
  readonly terms: readonly string[];
}

const word =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]+|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}])[\p{L}\p{N}])+(?:[_.-](?:(?![\p{Script=Han}])[\p{L}\p{N}])+)*/gu;
const eastAsian = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const segmenter = new Intl.Segmenter("zh", { granularity: "word" });

const stopWords = new Set(
  (
    "a an and are as at be been but by can could did do does for from get give go had has have help hey hi how i if in " +
    "into is it its let like make many may me more much my need no not of off on once one or our out please shall " +
    "should so some tell than that the their them then there these they thing this to too up us use used using very " +
    "want was way we were what when where which who whom whose why will with would you your about any also just " +
    "need show explain works work service chat enable create set already does occur occurs exist exists happen happens possible mean means available " +
    // Ways to say "get" and "make", and who is somebody in examples.
    "generate generated issue mint obtain request become enter everything alice bob"
  ).split(" "),
);
const chineseStopWords = new Set(
  (
    "怎么 怎样 怎么样 如何 什么 请问 获取 生成 创建 新建 得到 申请 查看 哪里来 可以 一个 一下 这个 那个 这些 那些 哪些 哪个 哪里 多少 为什么 是否 能否 有没有 我们 你们 他们 " +
    "告诉 帮我 需要 应该 使用 进行 关于 以及 或者 还是 如果 的话 服务 聊天 介绍 说明 解释 知道 想要 时候 支持 没有 不能 能够 " +
    "它们 自己 现在 就是 这样 那样 之后 之前 然后 因为 所以 但是 并且 而且 可能 已经 正在 怎么办 请 做"
  ).split(" "),
);

/** What questions call the things that the pages name otherwise; the Chinese ones are also words to segment by. */
const synonyms = new Map(
  Object.entries<readonly string[]>({
    会话: ["session"],
    对话: ["session", "conversation"],
    消息: ["message"],
    流式: ["stream"],
    流: ["stream"],
    续传: ["resume"],
    断线: ["resume", "reconnect"],
    重连: ["resume", "reconnect"],
    恢复: ["resume", "recovery"],
    取消: ["cancel"],
    停止: ["cancel", "stop"],
    历史: ["history"],
    搜索: ["search"],
    检索: ["search"],
    模型: ["model"],
    智能: ["agent"],
    智能体: ["agent"],
    代理: ["agent", "proxy"],
    团队: ["team"],
    工作流: ["workflow"],
    数据库: ["database", "postgresql"],
    存储: ["storage", "database"],
    缓存: ["cache", "redis"],
    语音: ["voice", "speech"],
    网关: ["gateway"],
    健康: ["health"],
    部署: ["deploy", "deployment"],
    配置: ["configuration", "config"],
    环境变量: ["environment", "configuration"],
    幂等: ["idempotency"],
    分页: ["pagination", "cursor"],
    错误: ["error"],
    指标: ["metrics"],
    监控: ["metrics", "monitoring"],
    日志: ["logging", "log"],
    限流: ["rate", "limit"],
    限制: ["limit"],
    认证: ["auth", "authentication"],
    鉴权: ["auth", "authorization"],
    令牌: ["token"],
    登录: ["auth", "token"],
    重试: ["retry"],
    连接: ["connect"],
    接入: ["connect"],
    端口: ["port"],
    安装: ["install"],
    启动: ["start"],
    排队: ["queue", "queued"],
    队列: ["queue", "queued"],
    事件: ["event"],
    删除: ["delete"],
    归档: ["archive"],
    批量: ["batch"],
    统计: ["stats", "statistics"],
    备份: ["backup"],
    升级: ["upgrade"],
    集群: ["cluster", "nodes"],
    节点: ["node"],
    多节点: ["nodes"],
    文档: ["docs", "documentation"],
    接口: ["api"],
    超时: ["timeout"],
    附件: ["attachment"],
    上传: ["upload"],
    浏览器: ["browser"],
    跨域: ["cors"],
    安全: ["security"],
    权限: ["permission", "authorization"],
    用户: ["user"],
    迁移: ["migration", "migrate"],
    健康检查: ["health"],
    断线续传: ["resume", "reconnect"],
    生产环境: ["production"],
    生产: ["production"],
    签发: ["token"],
    密钥: ["key"],
    导出: ["export"],
    导入: ["import"],
    分享: ["share"],
    共享: ["share"],
    用量: ["usage"],
    预算: ["budget"],
    费用: ["cost", "usage"],
    管理员: ["admin", "role"],
    编辑: ["edit", "branch"],
    重新生成: ["regenerate", "branch"],
    结构化: ["structured"],
    更新: ["upgrade"],
    backup: ["dump"],
    update: ["upgrade"],
    gdpr: ["export", "erase"],
    privacy: ["export", "erase"],
    keycloak: ["jwks", "jwt"],
    auth0: ["jwks", "jwt"],
    oidc: ["jwks", "jwt"],
    shutdown: ["stop", "drain"],
    graceful: ["drain", "stop"],
    listen: ["address", "host"],
    javascript: ["browser"],
    js: ["browser"],
    secure: ["security"],
    safe: ["security"],
    webhook: ["delivery"],
    dies: ["lost", "killed"],
    crash: ["lost", "killed", "interrupted"],
    rights: ["role", "permission"],
    regenerate: ["branch"],
    edit: ["branch"],
    cost: ["usage", "price"],
    authentication: ["auth", "token"],
    authorization: ["auth", "permission"],
    login: ["auth", "token"],
    reconnect: ["resume"],
    stop: ["cancel"],
    abort: ["cancel"],
    remove: ["delete"],
    speech: ["voice"],
    audio: ["voice"],
    variable: ["environment"],
    settings: ["configuration"],
    throttle: ["rate", "limit"],
    cluster: ["nodes", "redis"],
    scale: ["nodes", "redis"],
  }).map(([name, terms]) => [stem(name), terms.map(stem)]),
);
const knownWords = new RegExp(
  `(${[...synonyms.keys()]
    .filter((name) => eastAsian.test(name))
    .sort((one, other) => other.length - one.length)
    .join("|")})`,
  "u",
);

/** Index terms of a text: words and parts of identifiers, for East Asian text words and pairs of characters. */
export function indexTerms(text: string): string[] {
  return wordsOf(text).flatMap((found) => [...found.whole, ...found.pairs]);
}

/** Every word of a text, the small ones too; for East Asian text pairs of characters. */
export function allWords(text: string): Set<string> {
  const found = [...normal(text).matchAll(word)].flatMap(([run]) =>
    eastAsian.test(run) ? pairsOf(run) : run.split(/[_.-]/).map(stem),
  );
  return new Set(found);
}

function normal(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/\bback(?:s|ed|ing)? up\b/g, "backup")
    .replaceAll(/\b(?:log(?:s|ged|ging)?|sign(?:s|ed|ing)?)[ -]in\b/g, "login");
}

/** What a question asks for, without the words that every question has. */
export function questionTerms(question: string): TermGroup[] {
  const groups = new Map<string, TermGroup>();
  for (const found of wordsOf(question)) {
    for (const term of found.whole) {
      const terms = [term, ...(synonyms.get(term) ?? [])];
      if (terms.length === 1 && eastAsian.test(term)) terms.push(...pairsOf(term));
      groups.set(term, { terms: [...new Set(terms)] });
    }
  }
  return [...groups.values()];
}

/** Pairs of characters across words: they rank, but say nothing about what was asked for. */
export function questionPairs(question: string): string[] {
  return [...new Set(wordsOf(question).flatMap((found) => found.pairs))];
}

interface Words {
  readonly whole: string[];
  readonly pairs: string[];
}

function wordsOf(text: string): Words[] {
  const found: Words[] = [];
  for (const [run] of normal(text).matchAll(word)) {
    if (eastAsian.test(run)) {
      const whole = run
        .split(knownWords)
        .flatMap((part) =>
          synonyms.has(part) ? [part] : [...segmenter.segment(part)].map(({ segment }) => segment),
        )
        .filter((term) => !chineseStopWords.has(term))
        .filter((term) => [...term].length > 1 || synonyms.has(term));
      found.push({ whole, pairs: pairsOf(run).filter((pair) => !chineseStopWords.has(pair)) });
    } else {
      const parts = run.split(/[_.-]/).filter((part) => part !== "");
      const terms = parts.length > 1 ? [run, ...parts] : parts;
      found.push({ whole: terms.filter((term) => !stopWords.has(term)).map(stem), pairs: [] });
    }
  }
  return found;
}

function pairsOf(run: string): string[] {
  const characters = [...run];
  return characters.slice(1).map((character, index) => `${characters[index] ?? ""}${character}`);
}

/** Makes "sessions", "streaming" and "cached" meet "session", "stream" and "cache". Crude on purpose: both sides get it. */
export function stem(term: string): string {
  if (term.length < 4 || !/^[a-z]+$/.test(term)) return term;
  let stemmed = term;
  if (stemmed.endsWith("ies") && stemmed.length > 4) stemmed = `${stemmed.slice(0, -3)}y`;
  else if (stemmed.endsWith("s") && !/(?:ss|us|is)$/.test(stemmed)) stemmed = stemmed.slice(0, -1);
  const suffix = /(?:ing|ed|ion)$/.exec(stemmed)?.[0];
  if (suffix !== undefined && /[aeiouy].*[^aeiou]$/.test(stemmed.slice(0, -suffix.length))) {
    stemmed = stemmed.slice(0, -suffix.length).replace(/([bdfglmnprt])\1$/, "$1");
  }
  return stemmed.length > 3 && stemmed.endsWith("e") ? stemmed.slice(0, -1) : stemmed;
}
