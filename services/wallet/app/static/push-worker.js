// Shows what the portal pushes, and opens what it is about. It keeps nothing and answers no request.
const waitMs = 5_000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const told = event.data?.json() ?? {};
  if (typeof told.title !== "string" || typeof told.path !== "string") return;
  event.waitUntil(show(told));
});

/** A push names nobody and no amount. Whoever is signed in here reads both: the portal says them to nobody else. */
async function show({ title, body, path, tag }) {
  const said = (await named(path).catch(() => undefined)) ?? title;
  // The same tag again takes the place of the former.
  await self.registration.showNotification(said, { body, tag, icon: "/mark.svg", data: { path } });
}

async function named(path) {
  const id = path.split("/")[2];
  if (id === undefined) return undefined;
  const how = { redirect: "error", signal: AbortSignal.timeout(waitMs) };
  const answer = await fetch(`/told/${encodeURIComponent(id)}`, how);
  return answer.status === 200 ? (await answer.json()).title : undefined;
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data?.path ?? "/", self.location.origin);
  if (url.origin !== self.location.origin) return;
  event.waitUntil(open(url.href));
});

/** In the page that shows it already, or in a new one: what somebody fills in elsewhere stays as it is. */
async function open(href) {
  const pages = await self.clients.matchAll({ type: "window" });
  const shown = pages.find(({ url }) => url === href);
  return shown === undefined ? self.clients.openWindow(href) : shown.focus();
}
