import katex from "katex";
import "katex/dist/katex.min.css";

/** Draws a formula into an element; a wrong one is shown as it was written. Formulas can name no address and no style. */
export function drawFormula(element: HTMLElement, tex: string, isDisplayed: boolean): void {
  katex.render(tex, element, {
    displayMode: isDisplayed,
    throwOnError: false,
    errorColor: "currentColor",
    strict: "ignore",
    trust: false,
    maxExpand: 300,
    maxSize: 30,
  });
}
