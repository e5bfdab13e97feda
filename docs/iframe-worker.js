// The search runs in a worker, which no browser starts from a page that was opened as a file. There a hidden frame does it.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => {
        const message = new MessageEvent("message", { data: structuredClone(data) });
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      };
      inside.importScripts = (...urls) =>
        urls.reduce((before, each) => before.then(() => this.script(each)), Promise.resolve());
      this.ready = this.script(url);
    }

    script(url) {
      return new Promise((resolve) => {
        const inside = this.frame.contentDocument, element = inside.createElement("script");
        element.src = new URL(url, location.href).href;
        element.onload = resolve;
        inside.body.append(element);
      });
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
