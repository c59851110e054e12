// Signs the appeal with a wallet of the browser, if there is one. Without it the signature is pasted.
"use strict";
(function () {
  const form = document.querySelector("[data-appeal]");
  const button = document.querySelector("[data-sign]");
  const wallet = window.ethereum;
  if (!form || !button || !wallet || typeof wallet.request !== "function") return;
  const said = document.getElementById("said");
  const message = document.getElementById("message").textContent;
  const octets = new TextEncoder().encode(message);
  const hex = "0x" + Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
  button.hidden = false;
  button.addEventListener("click", async function () {
    button.disabled = true;
    try {
      const accounts = await wallet.request({ method: "eth_requestAccounts" });
      const sender = form.dataset.sender.toLowerCase();
      if (!accounts.some((account) => account.toLowerCase() === sender)) {
        said.textContent = "The wallet does not hold the sender's account. Choose " + sender + " there.";
        button.textContent = said.textContent;
        return;
      }
      form.elements.signature.value = await wallet.request({ method: "personal_sign", params: [hex, sender] });
      form.requestSubmit();
    } catch (refusal) {
      said.textContent = "The wallet did not sign: " + (refusal && refusal.message ? refusal.message : "refused") + ".";
      button.textContent = "Try again: the wallet did not sign";
    } finally {
      button.disabled = false;
    }
  });
})();
