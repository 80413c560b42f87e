/** What consentkit gives a page's own scripts. Written for sites in TypeScript; no browser loads it. */

export type Category = "preferences" | "statistics" | "marketing";
export type Categories = Partial<Record<Category, boolean>>;

export interface Choice {
  /** The visitor has answered for every optional category. */
  readonly decided: boolean;
  /** Each optional category in use, and whether it is granted. */
  readonly categories: Categories;
  /** Ids of the services that are allowed by themselves, without their category. */
  readonly services: readonly string[];
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

/** While the page loads, in pages with the guard or a signal: there `get` alone is there from the first script on. */
export type EarlyConsentKit = Pick<ConsentKit, "get"> & Partial<ConsentKit>;

declare global {
  interface Window {
    readonly consentkit: ConsentKit;
  }
  interface DocumentEventMap {
    /** Sent once for each answer that changed the choice, in this page or in another tab. */
    "consentkit:change": CustomEvent<Choice>;
  }
}
