// How a job stands: asked for every second, and drawn in few steps, however many files there are.
const EVERY = 700; // ms
const LINES = 200; // of files that are shown; what was skipped is always shown, up to MOST
const MOST = 500;
const TITLES = { running: "At work", stopping: "Stopping …", done: "Done", stopped: "Stopped", failed: "Not done" };
const LOOKS = { protected: "good", yours: "good", perhaps: "middling", skipped: "bad", "not shown": "" };

/** An answer of this page's server, or its reason as an error. */
export async function asked(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The program that shows this page has ended. Start `unlearnable app` again.");
  }
  const known = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
  if (!answer.ok) throw new Error(known.error ?? "The program refused; open the address that it printed.");
  return known;
}

/** Show a job in its form's tab until it has ended. */
export async function follow(form, number, begun) {
  const panel = document.getElementById(`${form.dataset.kind}-job`);
  const part = (name) => panel.querySelector(`[data-${name}]`);
  panel.dataset.number = number;
  ["sentences", "pictures", "compare", "skipped", "rows"].forEach((name) => part(name)?.replaceChildren());
  ["zip", "report", "files"].forEach((name) => part(name) && (part(name).hidden = true));
  panel.hidden = false;
  part("stop").onclick = () => asked(`/jobs/${number}/stop`, { method: "POST" });
  if (begun) part("state").focus();
  let since = 0;
  let quarter = -1;
  while (panel.dataset.number === String(number)) {
    let now;
    try {
      now = await asked(`/jobs/${number}?since=${since}`);
    } catch (problem) {
      say(part("sentences"), [problem.message]);
      part("going").hidden = true;
      return;
    }
    since = now.next;
    addRows(panel, now, number);
    const going = now.state === "running" || now.state === "stopping";
    const share = now.total ? Math.floor((4 * now.done) / now.total) : 0;
    draw(panel, part, now, going);
    if (going && share !== quarter) part("told").textContent = `${now.what}: ${now.done} of ${now.total ?? "?"}`;
    quarter = share;
    if (!going && !now.more) {
      ended(panel, part, now, number);
      if (now.state === "done" && begun) form.dispatchEvent(new Event("done"));
      return;
    }
    await new Promise((good) => setTimeout(good, now.more ? 50 : EVERY));
  }
}

function draw(panel, part, now, going) {
  part("state").textContent = TITLES[now.state];
  panel.classList.toggle("failed", now.state === "failed");
  part("going").hidden = !going;
  part("stop").disabled = now.state !== "running";
  const progress = part("progress");
  if (now.total) {
    progress.max = now.total;
    progress.value = now.done;
  } else {
    progress.removeAttribute("value");
  }
  const count = now.total ? `, ${now.done} of ${now.total}` : "";
  part("what").textContent = `${now.what[0].toUpperCase()}${now.what.slice(1)}${count}`;
  part("left").textContent = now.left;
  if (!part("counts")) return;
  const counts = Object.entries(now.counts).map(([status, number]) => `${number} ${status}`);
  const shown = (now.counts.protected ?? 0) > LINES ? `; shown are the last ${LINES}, and what was skipped` : "";
  part("counts").textContent = counts.length ? `Files: ${counts.join(", ")}${shown}.` : "";
}

function ended(panel, part, now, number) {
  const stopped = "Nothing is half-written. The same again goes on where it was stopped.";
  say(part("sentences"), now.state === "stopped" ? [...now.sentences, stopped] : now.sentences);
  part("told").textContent = `${TITLES[now.state]}. ${now.sentences[0] ?? ""}`;
  part("pictures").replaceChildren(...now.pictures.map(([title, address]) => picture(title, address)));
  if (now.zipped) {
    part("zip").hidden = false;
    part("zip").querySelector("a").href = `/jobs/${number}/copies.zip`;
  }
  if (now.report) {
    part("report").hidden = false;
    part("report").querySelector("a").href = `/jobs/${number}/report`;
    part("report").querySelector("iframe").src = `/jobs/${number}/report`;
  }
  const first = panel.querySelector("[data-rows] button");
  if (now.copies && first) compare(panel, number, first.dataset.file, false);
}

function say(place, sentences) {
  place.replaceChildren(...sentences.map((sentence) => element("p", sentence)));
}

function element(tag, text = "", look = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (look) made.className = look;
  return made;
}

function picture(title, address) {
  const figure = document.createElement("figure");
  const image = new Image();
  image.src = address;
  image.alt = title;
  figure.append(image, element("figcaption", title));
  return figure;
}

/** A line for every file that was told of; one that was told of before changes its line. */
function addRows(panel, now, number) {
  const lines = panel.querySelector("[data-rows]");
  const skipped = panel.querySelector("[data-skipped]");
  if (!lines || !now.rows.length) return;
  panel.querySelector("[data-files]").hidden = false;
  const known = new Map([...lines.children, ...skipped.children].map((line) => [line.dataset.file, line]));
  for (const row of now.rows) {
    known.get(row.file)?.remove();
    const line = document.createElement("tr");
    line.dataset.file = row.file;
    const name = element("th", row.file);
    name.scope = "row";
    const cell = element("td");
    cell.append(element("span", row.status, `status ${LOOKS[row.status] ?? ""}`));
    if (row.reason) cell.append(`: ${row.reason}`);
    if (row.status === "protected") cell.append(" ", compareButton(panel, number, row.file));
    line.append(name, cell);
    known.set(row.file, line);
    (row.status === "skipped" ? skipped : lines).append(line);
  }
  while (lines.children.length > LINES) lines.firstChild.remove();
  while (skipped.children.length > MOST) skipped.lastChild.remove();
}

function compareButton(panel, number, file) {
  const button = element("button", "Compare");
  button.type = "button";
  button.dataset.file = file;
  button.setAttribute("aria-label", `Compare ${file} before and after`);
  button.addEventListener("click", () => compare(panel, number, file, true));
  return button;
}

/** Before and after at 100 %, with a line between them that the arrow keys move; then the other pictures. */
async function compare(panel, number, file, wanted) {
  const place = panel.querySelector("[data-compare]");
  if (wanted) place.replaceChildren(element("p", `Looking at ${file} …`, "muted"));
  let found;
  try {
    found = await asked(`/jobs/${number}/compare?file=${encodeURIComponent(file)}`);
  } catch (problem) {
    place.replaceChildren(element("p", problem.message, "error"));
    return;
  }
  if (panel.dataset.number !== String(number)) return;
  const title = element("h3", `Before and after, at 100 %: ${file}`);
  title.tabIndex = -1;
  const wipe = element("figure", "", "wipe");
  const scroll = element("div", "", "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `${file}, before and after`);
  const stack = element("div", "", "stack");
  stack.style.width = `${found.width}px`;
  stack.style.height = `${found.height}px`;
  const [before, after] = [found.before, found.after].map((address, index) => {
    const image = new Image(found.width, found.height);
    image.src = address;
    image.alt = `${file}, ${index ? "after" : "before"}`;
    return image;
  });
  const slider = document.createElement("input");
  slider.type = "range";
  slider.style.width = `min(100%, ${found.width}px)`;
  slider.setAttribute("aria-label", `Share of ${file} that is shown as it was before, in percent`);
  slider.addEventListener("input", () => (after.style.clipPath = `inset(0 0 0 ${slider.value}%)`));
  slider.value = 50;
  after.style.clipPath = "inset(0 0 0 50%)";
  const ends = element("div", "", "ends");
  ends.style.maxWidth = slider.style.width;
  ends.append(element("span", "Left: before"), element("span", "Right: after"));
  stack.append(before, after);
  scroll.append(stack);
  wipe.append(scroll, slider, ends, element("figcaption", found.words));
  const others = element("div", "", "pictures");
  others.append(...found.others.map(([words, address]) => picture(words, address)));
  place.replaceChildren(title, wipe, others);
  if (wanted) title.focus();
}
