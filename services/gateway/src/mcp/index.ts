export { withChildren } from "./children.ts";
export { mcpDoor } from "./mcp.http.ts";
