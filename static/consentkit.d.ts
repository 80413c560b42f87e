/** What consentkit gives a page's own scripts. Written for sites in TypeScript; no browser loads it. */

export type Category = "preferences" | "statistics" | "marketing";
export type Categories = Partial<Record<Category, boolean>>;

export interface Choice {
  /** The visitor has answered for every optional category. */
  readonly decided: boolean;
  /** Each optional category in use, and whether it is granted. */
  readonly categories: Categories;
}

export interface ConsentKit {
  get(): Choice;
  /** Grant all. Rejected, with nothing changed, unless it runs in the visitor's own click or key press. */
  accept(): Promise<void>;
  /** Refuse all; always possible. */
  reject(): Promise<void>;
  /** Change what is named and leave the rest. Granting takes the visitor's own click or key press. */
  set(categories: Categories): Promise<void>;
  /** Open the settings. */
  open(): void;
}

declare global {
  interface Window {
    readonly consentkit: ConsentKit;
  }
  interface DocumentEventMap {
    /** Sent when a category was granted or withdrawn in this page. */
    "consentkit:change": CustomEvent<{ categories: Categories }>;
  }
}
