// Loaded before a server that would listen on every interface: it listens on this machine only, on a free port, and says
// where on its first line.

import net from "node:net";

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (...args) {
  const done = args.find((of) => typeof of === "function");
  const say = process.stdout.write.bind(process.stdout);
  return listen.call(this, 0, "127.0.0.1", () => {
    say(`listening on http://127.0.0.1:${this.address().port}/mcp\n`);
    done?.();
  });
};

// That line has to be the first.
console.log = console.error;
