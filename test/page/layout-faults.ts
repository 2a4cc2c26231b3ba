import type { Page } from "playwright-core";
import { settled } from "./axe.ts";

/**
 * What cannot be read or used on the page as it is now, in words: what lies outside the window where nothing scrolls to it,
 * text that is cut without saying so, and buttons that lie on each other.
 */
export async function layoutFaults(page: Page): Promise<string[]> {
  await settled(page);
  return page.evaluate(() => {
    const tolerance = 1;
    const found: string[] = [];
    const named = (element: Element) => {
      const classes = element.getAttribute("class")?.split(/\s+/).join(".") ?? "";
      const words = element.getAttribute("aria-label") ?? element.textContent;
      return `${element.localName}.${classes} “${words.trim().slice(0, 60)}”`;
    };
    const isShown = (element: Element) =>
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
      // Said to screen readers alone.
      element.closest(".off-screen, .katex-mathml") === null;
    const parents = (element: Element) => {
      const all: Element[] = [];
      for (let at = element.parentElement; at !== null; at = at.parentElement) all.push(at);
      return all;
    };
    const scrolls = (element: Element, axis: "x" | "y") => {
      // What is around everything scrolls downwards unless it is told not to.
      if (element === document.documentElement) {
        return axis === "y" && getComputedStyle(element).overflowY !== "hidden";
      }
      return /auto|scroll/.test(
        getComputedStyle(element)[axis === "x" ? "overflowX" : "overflowY"],
      );
    };
    const ownText = (element: Element) =>
      [...element.childNodes]
        .filter(({ nodeType }) => nodeType === Node.TEXT_NODE)
        .map(({ textContent }) => textContent ?? "")
        .join("")
        .trim();
    const controls = "button, a[href], input, select, textarea, summary";

    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} wide in ${clientWidth}`);

    /** What is as wide as it is. */
    const wide = "pre, table, .table-frame, .sheet, .maths, input";
    const shown = [...document.body.querySelectorAll("*")].filter(isShown);
    for (const element of shown) {
      if (
        scrolls(element, "x") &&
        element.scrollWidth > element.clientWidth + tolerance &&
        !element.matches(wide)
      ) {
        found.push(`scrolls sideways: ${named(element)}`);
      }
      if (ownText(element) === "" && !element.matches(controls)) continue;
      // What covers the rest is another layer; only what is in it can be reached.
      const modal = document.querySelector("dialog:modal");
      if (modal !== null && !modal.contains(element)) continue;
      const around = parents(element);
      const { left, right, top, bottom } = element.getBoundingClientRect();
      if (
        (left < -tolerance || right > innerWidth + tolerance) &&
        !around.some((parent) => scrolls(parent, "x"))
      ) {
        found.push(`beside the window: ${named(element)} ${left}–${right}`);
      }
      if (
        (top < -tolerance || bottom > innerHeight + tolerance) &&
        !around.some((parent) => scrolls(parent, "y"))
      ) {
        found.push(`above or below the window: ${named(element)} ${top}–${bottom}`);
      }
      for (const box of [element, ...around]) {
        const style = getComputedStyle(box);
        const inner = box.getBoundingClientRect();
        if (scrolls(box, "x") && scrolls(box, "y")) break;
        const isCut =
          (/hidden|clip/.test(style.overflowX) &&
            (right > inner.right + tolerance || box.scrollWidth > box.clientWidth + tolerance)) ||
          (/hidden|clip/.test(style.overflowY) &&
            !scrolls(box, "x") &&
            bottom > inner.bottom + tolerance);
        if (isCut && style.textOverflow !== "ellipsis" && !box.hasAttribute("title")) {
          found.push(`cut by ${named(box)}: ${named(element)}`);
        }
        if (scrolls(box, "x") || scrolls(box, "y")) break;
      }
      if (
        element.matches("button") &&
        (element.scrollWidth > element.clientWidth + tolerance ||
          element.scrollHeight > element.clientHeight + tolerance)
      ) {
        found.push(`wider than its button: ${named(element)}`);
      }
    }

    /** What is seen of it, within everything that cuts it off. */
    const seen = (element: Element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      const box = { left, right, top, bottom };
      for (const parent of parents(element)) {
        if (getComputedStyle(parent).overflow === "visible") continue;
        const frame = parent.getBoundingClientRect();
        box.left = Math.max(box.left, frame.left);
        box.right = Math.min(box.right, frame.right);
        box.top = Math.max(box.top, frame.top);
        box.bottom = Math.min(box.bottom, frame.bottom);
      }
      return box;
    };
    const layer = (element: Element) =>
      element.closest("dialog, [role=menu], .search-panel, .notices, .side-bar") ?? document.body;
    const pressed = shown
      .filter((element) => element.matches("button, input, select, textarea, summary"))
      .map((element) => ({ element, layer: layer(element), box: seen(element) }))
      .filter(({ box }) => box.right - box.left > tolerance && box.bottom - box.top > tolerance);
    pressed.forEach((one, at) => {
      for (const other of pressed.slice(at + 1)) {
        if (one.layer !== other.layer || one.element.contains(other.element)) continue;
        const width =
          Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const height =
          Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        if (width > tolerance && height > tolerance) {
          found.push(`on each other: ${named(one.element)} and ${named(other.element)}`);
        }
      }
    });
    return [...new Set(found)];
  });
}

/** Every word that is shown or told, but not what is below `data`: texts, and labels, hints and titles. */
export function wordsOf(page: Page, data: string): Promise<string[]> {
  return page.evaluate((data) => {
    const words = [document.title];
    for (const element of document.querySelectorAll("body, body *")) {
      if (element.matches("script, style, noscript") || element.closest(data) !== null) continue;
      for (const name of ["aria-label", "title", "placeholder", "alt"]) {
        words.push(element.getAttribute(name) ?? "");
      }
      for (const node of element.childNodes) {
        if (node.nodeType === Node.TEXT_NODE) words.push(node.textContent ?? "");
      }
    }
    return words.map((text) => text.trim()).filter((text) => text !== "");
  }, data);
}
