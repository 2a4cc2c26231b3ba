import { useState } from "react";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** What was asked for stays, also where it is drawn anew: at the end of a reply, or when it comes into view again. */
const wanted = new Set<string>();

/** An image from elsewhere. Nothing is asked of that host before the reader wants it: the request alone tells it much. */
export function RemoteImage({ url, name }: { readonly url: string; readonly name: string }) {
  const texts = useTexts();
  const [isWanted, setWanted] = useState(wanted.has(url));
  const target = webUrl(url);
  if (target === null) return <span className="image-name">{name}</span>;
  if (isWanted) {
    return (
      <img
        className="remote-image"
        src={target.href}
        alt={name === "" ? texts.imageFrom(target.host) : name}
        referrerPolicy="no-referrer"
        decoding="async"
      />
    );
  }
  const want = () => {
    wanted.add(url);
    setWanted(true);
  };
  return (
    <button type="button" className="image-button" onClick={want}>
      <Icon name="image" />
      <span>
        {name !== "" && <strong>{name}</strong>}
        <span>{texts.loadImage(target.host)}</span>
      </span>
    </button>
  );
}

/** An address that a browser may open; null for anything else, relative ones included. */
export function webUrl(url: string): URL | null {
  const parsed = URL.parse(url);
  return parsed !== null && (parsed.protocol === "https:" || parsed.protocol === "http:")
    ? parsed
    : null;
}
