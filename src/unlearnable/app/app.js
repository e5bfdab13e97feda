// Joins the parts of the page: forms begin jobs, and what goes on elsewhere on the page is kept in step.
import { asked, follow } from "./jobs.js";
import { watchDrops } from "./dropping.js";
import { show, watchTabs } from "./tabs.js";

const forms = [...document.querySelectorAll("form[data-kind]")];

watchTabs();
forms.forEach((form) => {
  watchDrops(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin(form);
  });
});
proposePlaces(document.querySelector("form[data-kind=protect]"));
watchKinds(document.querySelector("form[data-kind=check]"));
watchSteps(document.querySelector("form[data-kind=accuse]"));
goOn();

/** Give a form in, and follow what comes of it. */
async function begin(form) {
  const error = form.querySelector("[data-error]");
  error.textContent = "";
  if (form.dataset.dropping) {
    error.textContent = "Files are still being taken in; wait a moment.";
    return;
  }
  const fields = { batch: form.dataset.batch ?? "" };
  for (const [name, value] of new FormData(form)) {
    if (typeof value !== "string") continue;
    fields[name] = name === "countermeasures" ? [...(fields[name] ?? []), value] : value;
  }
  const button = form.querySelector("button.main");
  button.disabled = true;
  try {
    const { job } = await asked(`/jobs/${form.dataset.kind}`, { method: "POST", body: JSON.stringify(fields) });
    follow(form, job, true);
  } catch (problem) {
    error.textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

/** After the page was loaded again: show what is going on, and what came out. */
async function goOn() {
  const latest = await asked("/jobs");
  for (const form of forms) {
    if (latest[form.dataset.kind]) follow(form, latest[form.dataset.kind], false);
  }
  const newest = Object.entries(latest).sort((one, other) => other[1] - one[1])[0];
  if (newest && !location.hash) show(newest[0]);
}

/** A folder for the copies beside that of the originals, until somebody names another. */
function proposePlaces(form) {
  const { source, destination } = form.elements;
  let proposed = "";
  source.addEventListener("input", () => {
    if (destination.value !== proposed) return;
    const folder = source.value.trim().replace(/^"|"$/g, "").replace(/[/\\]+$/, "");
    proposed = folder && `${folder} protected`;
    destination.value = proposed;
  });
  const shown = form.querySelector("[data-destination]");
  form.addEventListener("change", () => (shown.hidden = form.elements.copies.value !== "folder"));
  form.addEventListener("dropped", () => {
    if (destination.value) return;
    form.elements.copies.value = "zip";
    form.dispatchEvent(new Event("change"));
  });
  form.addEventListener("done", () => {
    if (form.elements.copies.value !== "folder") return;
    fillIn("protected", destination.value);
    fillIn("originals", form.dataset.batch ? "" : source.value);
  });
}

/** What was just written is what is checked, audited or shown next. */
function fillIn(name, value) {
  document.querySelectorAll(`input[name=${name}]`).forEach((input) => {
    if (input.value || !value) return;
    input.value = value;
    input.dispatchEvent(new Event("change"));
  });
}

/** The kinds of pictures of a folder of copies, as soon as it is named. */
function watchKinds(form) {
  const { protected: folder, kind } = form.elements;
  folder.addEventListener("change", async () => {
    const error = form.querySelector("[data-error]");
    error.textContent = "";
    kind.length = 1;
    if (!folder.value.trim()) return;
    try {
      const { kinds } = await asked(`/kinds?protected=${encodeURIComponent(folder.value)}`);
      kinds.forEach((name) => kind.add(new Option(name === "." ? "(no sub-folder)" : name, name)));
    } catch (problem) {
      error.textContent = problem.message;
    }
  });
}

/** Of an accusation the fields that its step needs. */
function watchSteps(form) {
  const parts = [...form.querySelectorAll("[data-steps]")];
  const change = () => {
    parts.forEach((part) => {
      part.hidden = !part.dataset.steps.split(" ").includes(form.elements.step.value);
      part.disabled = part.hidden;
    });
  };
  form.addEventListener("change", change);
  change();
}
