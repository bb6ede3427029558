// What the pages of the report gain if a browser runs scripts: everything below stands in the HTML without them.
(() => {
  "use strict";
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const one = (selector, inside = document) => inside.querySelector(selector);
  const framed = window.top !== window;

  // The card of a number opens in a panel above the page that names it.
  if (framed) {
    document.body.classList.add("panel");
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") window.parent.postMessage("close", "*");
    });
  } else {
    const panel = one("#panel");
    document.addEventListener("click", (event) => {
      const door = event.target.closest("a.door");
      if (!door || !panel || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      one("iframe", panel).src = door.href;
      panel.showModal();
    });
    window.addEventListener("message", (event) => {
      if (panel && event.source === one("iframe", panel).contentWindow && event.data === "close") panel.close();
    });
  }

  // Charts hover once they are near the window; until then, and in print, their pictures stand.
  const views = [];
  const hidden = { backbone: new Set(), benchmark: new Set() };
  const signals = { backbone: "hidden_arms", benchmark: "hidden_benchmarks" };
  const hide = (view) => {
    for (const [kind, signal] of Object.entries(signals)) {
      try { view.signal(signal, [...hidden[kind]]); } catch { continue; } // a chart without rows of this kind
    }
    return view.runAsync();
  };
  const draw = async (script) => {
    const shown = one(".shown", script.parentElement), picture = one("img", shown);
    const place = document.createElement("div");
    place.className = "chart-view";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", picture.alt);
    const { view } = await vegaEmbed(place, JSON.parse(script.textContent), { actions: false, renderer: "svg" });
    one("svg", place).setAttribute("aria-hidden", "true");
    picture.replaceWith(place);
    views.push(view);
    if (hidden.backbone.size + hidden.benchmark.size) await hide(view);
  };
  if (window.vegaEmbed && !framed) {
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        watcher.unobserve(entry.target);
        draw(one("script.chart", entry.target));
      }
    }, { rootMargin: "300px" });
    all("script.chart").forEach((script) => watcher.observe(script.parentElement));
  }

  // Tables sort by every column, and search; some filter by the values of a column.
  const filtered = (table, grid) => {
    const names = (table.dataset.filters || "").split("|").filter(Boolean);
    if (!names.length) return;
    const heads = all("thead th", table).map((head) => head.textContent.trim());
    const form = document.createElement("form");
    form.className = "filters";
    for (const name of names) {
      const column = heads.indexOf(name), label = document.createElement("label"), select = document.createElement("select");
      const values = new Set(all("tbody tr", table).map((row) => (row.children[column].dataset.search || row.children[column].textContent).trim()));
      select.add(new Option("all", ""));
      [...values].filter(Boolean).sort().forEach((value) => select.add(new Option(value, value)));
      select.name = name;
      select.addEventListener("change", () => {
        const exact = select.value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
        grid.column(column).search(select.value ? `^${exact}$` : "", true, false).draw();
      });
      label.append(`${name} `, select);
      form.append(label);
    }
    table.closest(".table").before(form);
  };
  const grids = [];
  const unfilter = () => {
    const target = decodeURIComponent(location.hash.slice(1));
    if (!target || document.getElementById(target)) return;
    all(".filters select").forEach((select) => { select.value = ""; });
    grids.forEach((grid) => grid.search("").columns().search("").draw());
    document.getElementById(target)?.scrollIntoView();
  };
  window.addEventListener("hashchange", unfilter); // the row that an address names may be filtered out
  if (window.brewTables && !framed) {
    for (const table of all("table.sorted")) {
      const long = table.tBodies[0].rows.length > 12;
      const grid = new brewTables.default(table, {
        paging: false, info: long, order: [], autoWidth: false,
        layout: { topStart: long ? "info" : null, topEnd: long ? "search" : null, bottomStart: null, bottomEnd: null },
      });
      grids.push(grid);
      filtered(table, grid);
    }
  }

  // What is chosen is chosen for every figure and table of the page.
  const choice = one(".choose");
  if (choice) {
    const boxes = all("input[type=checkbox]", choice);
    const follow = () => {
      for (const kind of Object.keys(hidden)) {
        hidden[kind] = new Set(boxes.filter((box) => box.name === kind && !box.checked).map((box) => box.value));
        for (const each of all(`main [data-${kind}]`)) each.hidden = hidden[kind].has(each.dataset[kind]);
      }
      sessionStorage.setItem("hidden", JSON.stringify([[...hidden.backbone], [...hidden.benchmark]]));
      views.forEach(hide);
    };
    const kept = JSON.parse(sessionStorage.getItem("hidden") || "[[], []]");
    boxes.forEach((box) => { box.checked = !kept[box.name === "backbone" ? 0 : 1].includes(box.value); });
    choice.addEventListener("change", follow);
    one(".all", choice).addEventListener("click", () => { boxes.forEach((box) => { box.checked = true; }); follow(); });
    one(".none", choice).addEventListener("click", () => {
      boxes.filter((box) => box.name === "backbone").forEach((box) => { box.checked = false; });
      follow();
    });
    if (kept.flat().length) follow();
  }

  // Any two backbones, compared: the address names them.
  const form = one("#pair");
  if (form) {
    const data = JSON.parse(one("#pairs").textContent);
    const signed = (value) => (value === null ? "" : (value < 0 ? "" : "+") + value.toFixed(1));
    const range = (low, high) => (low === null ? "one seed" : `${signed(low)} to ${signed(high)}`);
    const flipped = (row) => ({ ...row, value: -row.value, low: -row.high, high: -row.low,
      "low over seeds": row["high over seeds"] === null ? null : -row["high over seeds"],
      "high over seeds": row["low over seeds"] === null ? null : -row["low over seeds"],
      parts: row.parts && row.parts.replace(/:(-?)/g, (_, minus) => (minus ? ":" : ":-")) });
    const parts = (text) => (text || "").split(" ").filter(Boolean).map((part) => part.split(":"))
      .map(([name, points]) => `${name} ${signed(Number(points))}`).join(", ");
    const chance = (p) => (p === null ? "" : p < 0.001 ? "< 0.001" : p.toFixed(3));
    const between = (arm, less, share) => data.pairs
      .map((row) => Object.fromEntries(data.columns.map((name, place) => [name, row[place]])))
      .map((row) => ({ ...row, on: data.on[row.on], arm: data.arms[row.arm], less: data.arms[row.less] }))
      .filter((row) => row["label fraction"] === share && ((row.arm === arm && row.less === less) || (row.arm === less && row.less === arm)))
      .map((row) => (row.arm === arm ? row : flipped(row)));
    const single = (arm, less, share) => {
      const of = (name) => data.runs.filter((run) => run[2] === name && run[1] === share);
      return of(arm).flatMap((run) => of(less).filter((other) => other[0] === run[0] && other[3] === run[3])
        .map((other) => ({ on: run[0], seed: run[3], one: run[4] - other[4] })));
    };
    const show = async (event) => {
      const [arm, less, share] = [form.arm.value, form.less.value, Number(form.share.value)];
      const rows = between(arm, less, share), name = data.labels;
      one("#differences caption").textContent = `${name[arm]} less ${name[less]}`;
      one("#differences tbody").innerHTML = "";
      for (const row of rows) {
        const line = one("#differences tbody").insertRow();
        const head = document.createElement("th");
        head.scope = "row";
        const small = document.createElement("small");
        small.textContent = parts(row.parts);
        head.append(`${row.on} `, small);
        line.append(head);
        for (const text of [signed(row.value), range(row.low, row.high), chance(row.p), range(row["low over seeds"], row["high over seeds"]), chance(row["p over seeds"]), row.rounding ? row.rounding.toFixed(1) : "not measured", row.seeds]) line.insertCell().textContent = text;
      }
      const sure = rows.filter((row) => (row.seeds > 1 ? row["low over seeds"] * row["high over seeds"] > 0 : false));
      one("#finding").textContent = rows.length
        ? `${name[arm]} less ${name[less]}: ${rows.length} comparisons. ${sure.length ? `Over seeds, the interval leaves out 0 on ${sure.map((row) => `${row.on} (${signed(row.value)})`).join(", ")}.` : rows.some((row) => row.seeds > 1) ? "Over seeds, every interval holds 0." : "With one shared seed, nothing can be said over seeds."}`
        : `${name[arm]} and ${name[less]} share no seed on any benchmark from these labels.`;
      if (event) history.replaceState(null, "", `#${arm}--${less}--${share}`);
      const spec = structuredClone(data.chart);
      spec.data = { values: [...rows, ...single(arm, less, share)] };
      await vegaEmbed("#drawn", spec, { actions: false, renderer: "svg" });
    };
    const asked = decodeURIComponent(location.hash.slice(1)).split("--");
    if (asked.length === 3 && asked[0] in data.labels && asked[1] in data.labels) {
      [form.arm.value, form.less.value, form.share.value] = asked;
    }
    form.addEventListener("change", show);
    show();
  }

  // A patch of an image, and how alike all others are: a byte per pair of patches, the half above the diagonal.
  const explorer = one("#explorer");
  if (explorer && !framed) {
    const data = JSON.parse(one("#likeness").textContent), count = data.grid * data.grid, place = one("#patches");
    const colours = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
    const cividis = (share) => {
      const at = Math.min(share, 0.9999) * (colours.length - 1), low = Math.floor(at);
      return colours[low].map((part, band) => part + (at - low) * (colours[low + 1][band] - part));
    };
    const halves = data.likeness.map(([, images]) => images.map((text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0))));
    const cosine = (half, one_, other) => {
      if (one_ === other) return 1;
      const [row, column] = one_ < other ? [one_, other] : [other, one_];
      return half[row * count - (row * (row + 1)) / 2 + column - row - 1] / 127 - 1;
    };
    const canvases = all("canvas", explorer), images = all(".thumbs img", explorer);
    let [image, patch] = [0, count / 2 + data.grid / 2];
    const photograph = document.createElement("img");
    photograph.alt = "";
    place.append(photograph);
    const buttons = Array.from({ length: count }, (_, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `patch in row ${Math.floor(number / data.grid) + 1}, column ${(number % data.grid) + 1}`);
      button.addEventListener("click", () => { patch = number; choosePatch(); });
      button.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -data.grid, ArrowDown: data.grid }[event.key];
        if (!step || !buttons[number + step]) return;
        event.preventDefault();
        buttons[number + step].focus();
      });
      place.append(button);
      return button;
    });
    const showPatch = () => {
      photograph.src = images[image].src;
      buttons.forEach((button, number) => {
        button.setAttribute("aria-pressed", number === patch);
        button.tabIndex = number === patch ? 0 : -1;
      });
      canvases.forEach((canvas, backbone) => {
        const values = buttons.map((_, number) => cosine(halves[backbone][image], patch, number));
        const [low, high] = [Math.min(...values), Math.max(...values.filter((_, number) => number !== patch))];
        const context = canvas.getContext("2d"), pixels = context.createImageData(data.grid, data.grid);
        values.forEach((value, number) => pixels.data.set([...cividis(Math.max(0, Math.min(1, (value - low) / (high - low || 1)))), 255], 4 * number));
        context.putImageData(pixels, 0, 0);
        one("small", canvas.parentElement).textContent = `${low.toFixed(2)} to ${high.toFixed(2)}`;
      });
    };
    const choosePatch = () => {
      showPatch();
      history.replaceState(null, "", `#image-${image + 1}-patch-${patch + 1}`);
    };
    const asked = location.hash.match(/^#image-(\d+)-patch-(\d+)$/);
    if (asked && images[asked[1] - 1] && buttons[asked[2] - 1]) [image, patch] = [asked[1] - 1, asked[2] - 1];
    explorer.elements.image[image].checked = true;
    explorer.addEventListener("change", (event) => { image = Number(event.target.value); choosePatch(); });
    explorer.hidden = false;
    showPatch();
  }
})();
