export type Asked = {
  readonly ask: () => void;
  readonly done: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Runs `work` when asked; asked while it runs, once more after it. Never fails. */
export function oneAfterTheOther(work: () => Promise<void>, failed: (error: unknown) => void): Asked {
  const state: { running: Promise<void> | undefined; more: boolean; closed: boolean } = {
    running: undefined,
    more: false,
    closed: false,
  };
  const run = async (): Promise<void> => {
    do {
      state.more = false;
      await work().catch(failed);
    } while (state.more && !state.closed);
    state.running = undefined;
  };
  return {
    ask: () => {
      if (state.closed) return;
      // Not before it is known to run: the work may ask for itself at once.
      if (state.running === undefined) state.running = Promise.resolve().then(run);
      else state.more = true;
    },
    done: async () => await state.running,
    close: async () => {
      state.closed = true;
      await state.running;
    },
  };
}
