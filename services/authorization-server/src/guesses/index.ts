export { guessJobs } from "./guesses.jobs.ts";
export { type Counted, createGuesses, type Guess, type Guesses } from "./guesses.ts";
