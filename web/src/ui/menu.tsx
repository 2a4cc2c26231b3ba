import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { Icon, type IconName } from "./icons.tsx";

export interface MenuItem {
  readonly label: string;
  readonly icon?: IconName;
  readonly isDangerous?: boolean;
  /** Given: the item is one of a choice. */
  readonly isChosen?: boolean;
  readonly run: () => void;
}

interface MenuProps {
  readonly label: string;
  readonly items: readonly (MenuItem | "separator")[];
  readonly className?: string;
  /** What the button shows. */
  readonly children: ReactNode;
  /** `free`: where there is more room when it is opened. */
  readonly placement?: "below" | "above" | "free";
}

/** A button that opens a list of commands; arrow keys move in it, Escape closes it. */
export function Menu({ label, items, className = "", children, placement = "below" }: MenuProps) {
  const [isOpen, setOpen] = useState(false);
  const [hasRoomBelow, setRoomBelow] = useState(true);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    if (!isOpen) return;
    list.current?.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
    const closeOutside = (event: PointerEvent) => {
      const target = event.target as Node;
      if (!list.current?.contains(target) && !button.current?.contains(target)) setOpen(false);
    };
    document.addEventListener("pointerdown", closeOutside);
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, [isOpen]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const move = (event: KeyboardEvent) => {
    const entries = [...(list.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const next: Record<string, number> = {
      ArrowDown: (at + 1) % entries.length,
      ArrowUp: (at - 1 + entries.length) % entries.length,
      Home: 0,
      End: entries.length - 1,
    };
    const to = next[event.key];
    if (to !== undefined) {
      event.preventDefault();
      entries[to]?.focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") setOpen(false);
  };

  return (
    <div className={`menu ${className}`}>
      <button
        type="button"
        ref={button}
        className="menu-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={({ currentTarget }) => {
          const { top, bottom } = currentTarget.getBoundingClientRect();
          setRoomBelow(window.innerHeight - bottom > top);
          setOpen(!isOpen);
        }}
      >
        {children}
      </button>
      {isOpen && (
        <div
          className={`menu-list ${placement === "free" ? (hasRoomBelow ? "below" : "above") : placement}`}
          role="menu"
          aria-label={label}
          id={id}
          ref={list}
          onKeyDown={move}
        >
          {items.map((item, index) =>
            item === "separator" ? (
              <hr key={`separator-${index}`} />
            ) : (
              <button
                key={item.label}
                type="button"
                role={item.isChosen === undefined ? "menuitem" : "menuitemradio"}
                aria-checked={item.isChosen}
                tabIndex={-1}
                className={item.isDangerous === true ? "dangerous" : ""}
                onClick={() => {
                  close();
                  item.run();
                }}
              >
                {item.isChosen === undefined ? (
                  item.icon !== undefined && <Icon name={item.icon} size={17} />
                ) : (
                  <span className="menu-mark">
                    {item.isChosen && <Icon name="check" size={16} />}
                  </span>
                )}
                <span>{item.label}</span>
              </button>
            ),
          )}
        </div>
      )}
    </div>
  );
}
