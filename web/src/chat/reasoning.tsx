import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** What the agent thought, folded away. */
export function Reasoning({
  text,
  isGrowing,
}: {
  readonly text: string;
  readonly isGrowing: boolean;
}) {
  const texts = useTexts();
  if (text === "") return null;
  return (
    <details className="reasoning">
      <summary>
        <Icon name="chevron" size={15} />
        <span className={isGrowing ? "shimmer" : ""}>
          {isGrowing ? texts.thinking : texts.reasoning}
        </span>
      </summary>
      <div className="reasoning-text" dir="auto">
        {text}
      </div>
    </details>
  );
}
