import type { AttachmentInfo, Media } from "../api/types.ts";
import { RemoteImage, webUrl } from "../markdown/remote-image.tsx";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";
import { Attachments } from "./attachments.tsx";

/** What the agent produced beside text; nothing of it is loaded by itself. */
export function MediaList({ media }: { readonly media: readonly Media[] }) {
  const texts = useTexts();
  if (media.length === 0) return null;
  return (
    <ul className="media">
      {media.map((medium, index) => {
        const { kind, url = "", name } = medium;
        const target = webUrl(url);
        const kept = keptFile(medium);
        return (
          <li key={`${url}-${index}`}>
            {kept !== null ? (
              <Attachments files={[kept]} />
            ) : medium.left_out !== undefined ? (
              <span>{texts.mediaLeftOut[medium.left_out](name ?? kind)}</span>
            ) : kind === "image" ? (
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

/** It is shown as files are that came with a message. */
function keptFile({ kind, attachment_id, ...file }: Media): AttachmentInfo | null {
  if (attachment_id === undefined) return null;
  const { name = kind, media_type = "", size = 0 } = file;
  return { attachment_id, name, media_type, size };
}
