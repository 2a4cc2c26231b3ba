import type { Media } from "../api/types.ts";
import { RemoteImage, webUrl } from "../markdown/remote-image.tsx";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** What the agent produced beside text; nothing of it is loaded by itself. */
export function MediaList({ media }: { readonly media: readonly Media[] }) {
  const texts = useTexts();
  if (media.length === 0) return null;
  return (
    <ul className="media">
      {media.map(({ kind, url, name }, index) => {
        const target = webUrl(url);
        return (
          <li key={`${url}-${index}`}>
            {kind === "image" ? (
              <RemoteImage url={url} name={name ?? ""} />
            ) : target === null ? (
              <span>{name ?? kind}</span>
            ) : (
              <a href={target.href} target="_blank" rel="noopener noreferrer nofollow">
                <Icon name="external" size={16} />
                {texts.showMedia(name ?? `${kind} (${target.host})`)}
              </a>
            )}
          </li>
        );
      })}
    </ul>
  );
}
