import { script } from "../pages/index.ts";

/**
 * Passkeys, the one thing that a page cannot do without a script (WebAuthn §5.1). An element with `data-passkey` (`get`
 * or `create`) and `data-options` holds a button; it is shown where the browser knows passkeys. The answer goes into
 * the field `response` of the form around it, or of the form whose id `data-form` names, and that form is sent. With
 * `data-conditional` the browser also offers passkeys in the field for the e-mail address.
 */
export const passkeyScript = script(`
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
  const ids = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const read = (json) => {
    const options = JSON.parse(json);
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    if (options.allowCredentials) options.allowCredentials = ids(options.allowCredentials);
    if (options.excludeCredentials) options.excludeCredentials = ids(options.excludeCredentials);
    return options;
  };
  const write = ({ id, rawId, type, response }) => JSON.stringify({
    id, rawId: text(rawId), type, clientExtensionResults: {},
    response: {
      clientDataJSON: text(response.clientDataJSON),
      ...(response.attestationObject ? { attestationObject: text(response.attestationObject), transports: response.getTransports ? response.getTransports() : [] } : {}),
      ...(response.authenticatorData ? { authenticatorData: text(response.authenticatorData), signature: text(response.signature) } : {}),
      ...(response.userHandle && response.userHandle.byteLength ? { userHandle: text(response.userHandle) } : {}),
    },
  });
  let waiting;
  const begin = async (place, conditional) => {
    if (waiting) waiting.abort();
    waiting = new AbortController();
    const publicKey = read(place.dataset.options);
    const request = { publicKey, signal: waiting.signal, ...(conditional ? { mediation: "conditional" } : {}) };
    const credential = place.dataset.passkey === "create" ? await navigator.credentials.create(request) : await navigator.credentials.get(request);
    const form = place.dataset.form ? document.getElementById(place.dataset.form) : place.closest("form");
    form.elements.namedItem("response").value = write(credential);
    HTMLFormElement.prototype.submit.call(form);
  };
  const say = (place, words) => {
    let said = place.querySelector("[role=alert]");
    if (!said) {
      said = document.createElement("p");
      said.className = "notice refused";
      said.setAttribute("role", "alert");
      place.append(said);
    }
    said.textContent = words;
  };
  if (!window.PublicKeyCredential) return;
  for (const place of document.querySelectorAll("[data-passkey]")) {
    place.hidden = false;
    for (const beside of document.querySelectorAll("[data-with-passkey]")) beside.hidden = false;
    const button = place.querySelector("button");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await begin(place, false);
      } catch (error) {
        button.disabled = false;
        say(place, error.name === "InvalidStateError"
          ? "This device has a passkey for this account already."
          : "The passkey was not used. Try again, or choose another way.");
      }
    });
    const able = PublicKeyCredential.isConditionalMediationAvailable;
    if ("conditional" in place.dataset && able)
      able.call(PublicKeyCredential).then((yes) => yes && begin(place, true)).catch(() => {});
  }
})();
`);
