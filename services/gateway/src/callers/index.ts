export { type Admitted, anybody, type Callers, createCallers, type Visit } from "./callers.ts";
export { type ContractJudge, createContractJudge } from "./contracts.ts";
export { type Session, sessionPath } from "./sessions.ts";
