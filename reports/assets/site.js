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
      "high over seeds": row["low over seeds"] === null ? null : -row["low over seeds"] });
    const between = (arm, less, share) => data.pairs
      .map((row) => Object.fromEntries(data.columns.map((name, place) => [name, row[place]])))
      .filter((row) => row["label fraction"] === share && ((row.arm === arm && row.less === less) || (row.arm === less && row.less === arm)))
      .map((row) => (row.arm === arm ? row : flipped(row)));
    const single = (arm, less, share) => {
      const of = (name) => data.runs.filter((run) => run[2] === name && run[1] === share);
      return of(arm).flatMap((run) => of(less).filter((other) => other[0] === run[0] && other[3] === run[3])
        .map((other) => ({ on: run[0], seed: run[3], one: run[4] - other[4] })));
    };
    const show = async () => {
      const [arm, less, share] = [form.arm.value, form.less.value, Number(form.share.value)];
      const rows = between(arm, less, share), name = data.labels;
      one("#differences caption").textContent = `${name[arm]} less ${name[less]}`;
      one("#differences tbody").innerHTML = "";
      for (const row of rows) {
        const line = one("#differences tbody").insertRow();
        const head = document.createElement("th");
        head.scope = "row";
        head.textContent = row.on;
        line.append(head);
        for (const text of [signed(row.value), range(row.low, row.high), range(row["low over seeds"], row["high over seeds"]), row.seeds]) line.insertCell().textContent = text;
      }
      const sure = rows.filter((row) => (row.seeds > 1 ? row["low over seeds"] * row["high over seeds"] > 0 : false));
      one("#finding").textContent = rows.length
        ? `${name[arm]} less ${name[less]}: ${rows.length} comparisons; over seeds 0 is left out by ${sure.length || "none"}${sure.length ? ` (${sure.map((row) => `${row.on} ${signed(row.value)}`).join(", ")})` : ""}.`
        : `${name[arm]} and ${name[less]} share no seed on any benchmark from these labels.`;
      history.replaceState(null, "", `#${arm}--${less}--${share}`);
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
})();
