import { z } from "zod";

export { stepUpJobs } from "./step-ups.jobs.ts";
export {
  type Answer,
  type Answered,
  type Asked,
  type Asking,
  type CheckedStepUp,
  createStepUps,
  type Evidence,
  type Question,
  type StepUps,
} from "./step-ups.ts";
export { stepUpPart } from "./views.ts";

/** Members of a form that holds `stepUpPart`. */
export const stepUpFields = {
  step_up: z.string().max(64),
  response: z.string().max(24_576).optional(),
  code: z.string().max(64).optional(),
  password: z.string().max(1_024).optional(),
};
