// Files that are dropped or chosen are taken in at once, a few at a time, with their folders as they were.
import { asked } from "./jobs.js";

const AT_ONCE = 3;
const PROBLEMS = 20; // that are shown; the rest is counted

/** Let a form take files in; its batch is named in `data-batch`. */
export function watchDrops(form) {
  const drop = form.querySelector("[data-drop]");
  if (!drop) return;
  const told = drop.querySelector("[data-dropped]");
  const problems = drop.querySelector("[data-problems]");
  const clear = drop.querySelector("[data-clear]");
  let taken = 0;
  let failed = 0;

  drop.querySelectorAll("input[type=file]").forEach((input) => {
    input.addEventListener("change", () => {
      const files = [...input.files].map((file) => [withoutFirst(file.webkitRelativePath) || file.name, file]);
      input.value = "";
      take(files);
    });
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const dropped = items.map((item) => [item.webkitGetAsEntry(), item.getAsFile()]); // before anything is waited for
    told.textContent = "Looking into what was dropped …";
    const found = dropped.map(([entry, file]) => (entry ? inside(entry) : [[file.name, file]]));
    const files = (await Promise.all(found)).flat();
    const one = dropped.length === 1 && dropped[0][0]?.isDirectory; // a folder alone is what is protected, not a kind
    take(files.map(([name, file]) => [one ? withoutFirst(name) : name, file]));
  });
  clear.addEventListener("click", () => {
    delete form.dataset.batch;
    taken = failed = 0;
    problems.replaceChildren();
    clear.hidden = true;
    told.textContent = "Nothing chosen yet.";
  });

  async function take(files) {
    if (!files.length) {
      told.textContent = "There was no file in it.";
      return;
    }
    form.dataset.dropping = "yes";
    try {
      form.dataset.batch ||= (await asked("/dropped", { method: "POST" })).batch;
      const waiting = [...files];
      const worker = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          await send(...next);
          if (taken % 5 === 0) told.textContent = `Taking in ${taken} of ${taken + waiting.length} …`;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      told.textContent = `${taken} ${taken === 1 ? "file" : "files"} taken in${failed ? `, ${failed} not` : ""}.`;
      clear.hidden = false;
      form.dispatchEvent(new Event("dropped"));
    } catch (problem) {
      told.textContent = problem.message;
    } finally {
      delete form.dataset.dropping;
    }
  }

  async function send(name, file) {
    const place = name.split("/").map(encodeURIComponent).join("/");
    try {
      await asked(`/dropped/${form.dataset.batch}/${place}`, { method: "PUT", body: file });
      taken += 1;
    } catch (problem) {
      failed += 1;
      if (failed > PROBLEMS) return;
      const line = document.createElement("li");
      line.textContent = failed === PROBLEMS ? "And more." : `${name}: ${problem.message}`;
      problems.append(line);
    }
  }
}

/** All files of what was dropped, with their paths. */
async function inside(entry, above = "") {
  const name = above + entry.name;
  if (entry.isFile) return [[name, await new Promise((good, bad) => entry.file(good, bad))]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((good, bad) => reader.readEntries(good, bad)); // a hundred at a time
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map((one) => inside(one, `${name}/`)))).flat();
}

function withoutFirst(path) {
  return path.slice(path.indexOf("/") + 1);
}
