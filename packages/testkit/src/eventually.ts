/** Repeats `check` until it neither throws nor returns false, 20 s at most; then throws what it threw last. */
export declare function eventually<T>(check: () => T | Promise<T>): Promise<T>;
