const r = document.getElementById("result").dataset;
window.parent.postMessage({ source: "bff-silent-login", isLoggedIn: r.loggedIn === "true" }, r.origin);