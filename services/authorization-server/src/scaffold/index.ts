export { scaffoldRoute } from "./scaffold.http.ts";
