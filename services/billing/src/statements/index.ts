export { statementRoutes } from "./statements.http.ts";
export type { StatementDeps } from "./statements.ts";
