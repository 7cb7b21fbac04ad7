export { interactionPages } from "./pages.http.ts";
export { errorPage } from "./views.ts";
