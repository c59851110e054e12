// Passkeys: ask this site for a question, let the authenticator answer it, send the answer back.
"use strict";
(function () {
  const form = document.querySelector("[data-passkey]");
  if (!form) return;
  const problem = form.querySelector("[data-passkey-problem]");
  const host = form.dataset.passkeyHost;

  function tell(text) {
    problem.textContent = text;
    problem.hidden = !text;
  }

  async function post(path, body) {
    const headers = { "content-type": "application/json", "hx-request": "true" };
    const csrf = form.querySelector("input[name=csrf]");
    if (csrf) headers["x-csrf-token"] = csrf.value;
    const answer = await fetch(path, { method: "POST", headers: headers, body: JSON.stringify(body), credentials: "same-origin" });
    const elsewhere = answer.headers.get("hx-redirect");
    if (elsewhere) {
      window.location.assign(elsewhere);
      return null;
    }
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error || "That did not work.");
    return said;
  }

  async function exchange() {
    const question = await post(form.dataset.question, {});
    if (question === null) return;
    const make = form.dataset.passkey === "make";
    const credential = make
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(question) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(question) });
    const name = form.querySelector("input[name=name]");
    const next = form.querySelector("input[name=next]");
    const done = await post(form.dataset.answer, {
      credential: credential.toJSON(), name: name ? name.value : "", next: next ? next.value : "/",
    });
    if (done !== null) window.location.assign(done.next);
  }

  form.addEventListener("submit", async function (event) {
    event.preventDefault();
    tell("");
    if (!window.PublicKeyCredential || !PublicKeyCredential.parseCreationOptionsFromJSON) {
      tell("This browser has no passkeys.");
    } else if (window.location.hostname !== host && !window.location.hostname.endsWith("." + host)) {
      tell("Passkeys need a name, not an address: open this page at " + host + ".");
    } else {
      const button = form.querySelector("button");
      button.disabled = true;
      try {
        await exchange();
      } catch (error) {
        tell(error.name === "NotAllowedError" ? "The authenticator gave no answer. Try again." : error.message);
      }
      button.disabled = false;
    }
  });
})();
