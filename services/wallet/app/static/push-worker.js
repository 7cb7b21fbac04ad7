// Shows what the portal pushes, and opens what it is about. It keeps nothing and answers no request.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const { title, body, path, tag } = event.data?.json() ?? {};
  if (typeof title !== "string" || typeof path !== "string") return;
  // The same tag again takes the place of the former.
  event.waitUntil(
    self.registration.showNotification(title, { body, tag, icon: "/mark.svg", data: { path } }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data?.path ?? "/", self.location.origin);
  if (url.origin !== self.location.origin) return;
  event.waitUntil(open(url.href));
});

/** In a page of the portal that is open, or in a new one. */
async function open(href) {
  const [page] = await self.clients.matchAll({ type: "window" });
  if (page === undefined) return self.clients.openWindow(href);
  await page.focus();
  return page.navigate(href);
}
