import { micromark, type Options } from "micromark";
import { gfm, gfmHtml } from "micromark-extension-gfm";
import { isTooMuch } from "../lib/too-much.ts";

/** Parsed at a time, between two looks at the network: some 50 ms. */
const maxLength = 50_000;
/** Their anchors would lead into other messages. */
const withoutFootnotes = {
  disable: { null: ["gfmFootnoteCall", "gfmFootnoteDefinition", "gfmPotentialFootnoteCall"] },
};
/** HTML in it stays text, and addresses that would run something are dropped: that is how it comes. */
const options: Options = {
  extensions: [gfm(), withoutFootnotes],
  htmlExtensions: [gfmHtml()],
};

/**
 * Markdown as HTML that needs nothing from elsewhere: pictures are links to them, and links lead out alone, without telling
 * where from. Null for what is not worth, or not safe, to be parsed.
 */
export function markdownToHtml(text: string): string | null {
  if (text.length > maxLength || isTooMuch(text)) return null;
  return (
    micromark(text, options)
      // A `<` of the text itself is never one here.
      .replaceAll(
        /<img src="([^"]*)" alt="([^"]*)"(?: title="[^"]*")? \/>/g,
        (_image, url: string, name: string) => `<a href="${url}">${name === "" ? url : name}</a>`,
      )
      .replaceAll(/<a href="(?!https?:|mailto:)[^"]*"(?: title="[^"]*")?>/gi, "<a>")
      .replaceAll('<a href="', '<a rel="noreferrer nofollow" href="')
      // What scrolls can be scrolled with the keyboard.
      .replaceAll(/<(pre|table)>/g, '<$1 tabindex="0">')
      .replaceAll(/<input type="checkbox" disabled="" (checked="" )?\/>/g, (_box, isDone) =>
        isDone === undefined ? "☐" : "☑",
      )
      // The page and the message have headings above these.
      .replaceAll(
        /<(\/?)h([1-6])>/g,
        (_tag, end: string, level: string) => `<${end}h${Math.min(6, Number(level) + 2)}>`,
      )
  );
}
