import { useEffect, useRef, useState, type FormEvent } from "react";
import type { Rating } from "../api/types.ts";
import { rate } from "../state/marks.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import "../styles/marks.css";

interface RateReplyProps {
  readonly message: MessageView;
  /** Rated (true), or taken back. */
  readonly onRated: (isRated: boolean) => void;
}

/** Thumbs up and down; the one that is pressed takes it back. */
export function RateReply({ message, onRated }: RateReplyProps) {
  const texts = useTexts();
  const given = message.feedback?.rating ?? null;
  const press = async (rating: Rating) => {
    const next = rating === given ? null : rating;
    if (await rate(message, { rating: next })) onRated(next !== null);
  };
  return (
    <span className="rating" role="group" aria-label={texts.rating.label}>
      {(["up", "down"] as const).map((rating) => (
        <IconButton
          key={rating}
          icon={rating === "up" ? "thumbUp" : "thumbDown"}
          size={17}
          label={texts.rating[rating]}
          aria-pressed={given === rating}
          onClick={() => void press(rating)}
        />
      ))}
    </span>
  );
}

/** As they are told to whoever reads the ratings, in whatever language they were chosen. */
const reasons = {
  up: ["correct", "helpful", "clear"],
  down: ["wrong", "incomplete", "off_topic", "too_long"],
} as const satisfies Record<Rating, readonly string[]>;

/** Why a reply was rated as it was, for who wants to say so. */
export function RatingReasons({
  message,
  onClose,
}: {
  readonly message: MessageView;
  readonly onClose: () => void;
}) {
  const texts = useTexts();
  const { rating, tags: before, comment: said } = message.feedback ?? {};
  const [tags, setTags] = useState<readonly string[]>(before ?? []);
  const [comment, setComment] = useState(said ?? "");
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector("button")?.focus(), []);
  if (rating === undefined) return null;

  const names: Readonly<Record<string, string>> = texts.rating.reasons;
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (await rate(message, { rating, tags, comment })) onClose();
  };
  return (
    <form
      ref={form}
      className="rating-reasons"
      aria-label={texts.rating.why}
      onSubmit={(event) => void send(event)}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <div className="chips" role="group" aria-label={texts.rating.why}>
        {[...new Set([...reasons[rating], ...tags])].map((tag) => (
          <button
            key={tag}
            type="button"
            className="chip"
            aria-pressed={tags.includes(tag)}
            onClick={() =>
              setTags(tags.includes(tag) ? tags.filter((each) => each !== tag) : [...tags, tag])
            }
          >
            {names[tag] ?? tag}
          </button>
        ))}
      </div>
      <textarea
        rows={2}
        dir="auto"
        maxLength={4_000}
        value={comment}
        aria-label={texts.rating.comment}
        placeholder={texts.rating.comment}
        onChange={(event) => setComment(event.target.value)}
      />
      <div className="edit-actions">
        <button type="button" className="secondary" onClick={onClose}>
          {texts.close}
        </button>
        <button type="submit" className="primary">
          {texts.send}
        </button>
      </div>
    </form>
  );
}
