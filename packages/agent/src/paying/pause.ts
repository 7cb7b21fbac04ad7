/** Waits so many ms. */
export type Pause = (ms: number) => Promise<void>;

export const pause: Pause = (ms) => new Promise((done) => void setTimeout(done, ms));
