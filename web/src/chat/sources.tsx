import type { Source } from "../api/types.ts";
import { webUrl } from "../markdown/remote-image.tsx";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** What an answer rests on: pages as links, of documents what was used of them. */
export function Sources({ sources }: { readonly sources: readonly Source[] }) {
  const texts = useTexts();
  if (sources.length === 0) return null;
  return (
    <details className="sources">
      <summary>
        <Icon name="file" size={15} />
        {texts.sources(sources.length)}
        <Icon name="chevron" size={14} />
      </summary>
      <ol>
        {sources.map((source, index) => (
          <li key={index}>
            <SourceName source={source} />
            {source.excerpt !== undefined && <p dir="auto">{source.excerpt}</p>}
          </li>
        ))}
      </ol>
    </details>
  );
}

function SourceName({ source: { title, url } }: { readonly source: Source }) {
  const target = url === undefined ? null : webUrl(url);
  if (target === null) return title === undefined ? null : <span dir="auto">{title}</span>;
  return (
    <a href={target.href} target="_blank" rel="noopener noreferrer nofollow">
      <span dir="auto">{title ?? target.href}</span>
      {title !== undefined && <small> {target.host}</small>}
    </a>
  );
}
