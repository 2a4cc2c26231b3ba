import type { ReactNode } from "react";

const paths = {
  plus: <path d="M12 5v14M5 12h14" />,
  search: <path d="M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4" />,
  menu: <path d="M4 7h16M4 12h16M4 17h16" />,
  close: <path d="M6 6l12 12M18 6L6 18" />,
  more: <path d="M5.5 12h.01M12 12h.01M18.5 12h.01" strokeWidth="2.6" />,
  send: <path d="M12 19V5M6 11l6-6 6 6" />,
  stop: <rect x="7" y="7" width="10" height="10" rx="2" fill="currentColor" stroke="none" />,
  copy: (
    <path d="M9 9h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM5 15V5a1 1 0 0 1 1-1h9" />
  ),
  wrap: <path d="M4 6h16M4 12h13a3 3 0 0 1 0 6h-4M15.5 15.5L13 18l2.5 2.5M4 18h5" />,
  check: <path d="M5 12.5l4.5 4.5L19 7.5" />,
  retry: <path d="M4 12a8 8 0 1 0 2.6-5.9M4 4v4.5h4.5" />,
  info: <path d="M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 11.2V16M12 8.1v.01" />,
  down: <path d="M12 5v14M6 13l6 6 6-6" />,
  back: <path d="M15 6l-6 6 6 6" />,
  chevron: <path d="M9 6l6 6-6 6" />,
  archive: <path d="M4 5h16v4H4zM5.5 9v10h13V9M10 13h4" />,
  fork: <path d="M7 4v16M7 14c0-4 10-2 10-7M17 4v3M14 7l3-3 3 3" />,
  swap: <path d="M4 8h14M14 4l4 4-4 4M20 16H6M10 12l-4 4 4 4" />,
  pin: <path d="M9 4h6l-1 7 3 3H7l3-3zM12 14v6" />,
  tag: <path d="M4 4h7l9 9-7 7-9-9zM8 8v.01" />,
  chart: <path d="M5 20V11M12 20V4M19 20v-6" />,
  thumbUp: (
    <path d="M7.5 11v9H4v-9zM7.5 11l3.7-7c1.6 0 2.4 1 2 2.600L12.4 10H18a2 2 0 0 1 2 2.300l-1 6a2 2 0 0 1-2 1.700H7.5" />
  ),
  thumbDown: (
    <path d="M7.5 13V4H4v9zM7.5 13l3.7 7c1.6 0 2.4-1 2-2.600L12.4 14H18a2 2 0 0 0 2-2.300l-1-6A2 2 0 0 0 17 4H7.5" />
  ),
  pencil: <path d="M4 20l1-4L16 5l3 3L8 19zM14 7l3 3" />,
  trash: <path d="M5 7h14M10 4h4M7 7l.8 13h8.4L17 7M10.3 11v5.5M13.7 11v5.5" />,
  sliders: <path d="M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4" />,
  tool: (
    <path
      d="M14.5 6.5a4 4 0 0 1 5-2l-2.6 2.6 1 2 2 1 2.6-2.6a4 4 0 0 1-5.6 4.6L8.6 20.4a2 2 0 0 1-3-3l8.3-8.3a4 4 0 0 1 .6-2.6z"
      transform="translate(-1.5 .3) scale(.96)"
    />
  ),
  people: (
    <path d="M9 11a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 9 11zM3 19c.5-3.4 2.8-5 6-5s5.5 1.6 6 5M16 10.8a2.8 2.8 0 1 0-1-5.4M17 14.3c2.3.5 3.7 2 4 4.7" />
  ),
  image: <path d="M4 5h16v14H4zM4 16l4.5-4.5 4 4 3-3L20 16M15 9v.01" />,
  alert: <path d="M12 4l9 15.5H3zM12 10v4.5M12 17v.01" />,
  clock: <path d="M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.3l2.8 1.7" />,
  pulse: <path d="M3 12h4l2.5-6 4 12 2.5-6h5" />,
  key: <path d="M8.5 12a3.5 3.5 0 1 0 0 .01zM12 12h9M18 12v3" transform="translate(-1)" />,
  clip: (
    <path d="M19 11.5l-7.4 7.4a4.6 4.6 0 0 1-6.5-6.5l7.8-7.8a3.1 3.1 0 0 1 4.4 4.4l-7.8 7.8a1.5 1.5 0 0 1-2.2-2.2l7-7" />
  ),
  file: <path d="M6 3.5h7l5 5v12H6zM13 3.5v5h5" />,
  external: <path d="M14 5h5v5M19 5l-8 8M17 14v5H5V7h5" />,
  link: (
    <path d="M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7L12 17.7" />
  ),
  mic: (
    <path d="M12 4a2.5 2.5 0 0 1 2.5 2.5v5a2.5 2.5 0 0 1-5 0v-5A2.5 2.5 0 0 1 12 4zM6.5 11.5a5.5 5.5 0 0 0 11 0M12 17v3" />
  ),
  waves: <path d="M4 10v4M8 7v10M12 4v16M16 7v10M20 10v4" />,
  speaker: <path d="M5 10v4h3l4 3.5v-11L8 10zM15.5 9.5a3.5 3.5 0 0 1 0 5M18 7a7 7 0 0 1 0 10" />,
  muted: <path d="M5 10v4h3l4 3.5v-11L8 10zM16 10l4 4M20 10l-4 4" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof paths;

/** A drawing beside or instead of words; what it means is said by its surroundings. */
export function Icon({ name, size = 20 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {paths[name]}
    </svg>
  );
}
