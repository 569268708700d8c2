// Draws a report's charts from the JSON in the page. No other file, no network.
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("data").textContent);
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--soft").trim();
  const line = style.getPropertyValue("--line").trim();
  // Okabe and Ito's colours: told apart by colour-blind readers too.
  const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

  const shown = (value) => {
    const size = Math.abs(value);
    if (value === 0) return "0";
    return value.toLocaleString("en-US", {maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : 3});
  };

  const axis = (label, most, logarithmic) => ({
    type: logarithmic ? "logarithmic" : "linear",
    title: {display: label !== "", text: label, color: ink},
    grid: {color: line},
    ticks: {color: ink, callback: (value) => shown(Number(value))},
    beginAtZero: !logarithmic,
    ...(most === null ? {} : {max: most}),
  });

  const dataset = (chart, series, index) => {
    const colour = palette[index % palette.length];
    const bars = chart.kind === "bars";
    return {
      label: series.name,
      data: bars ? chart.categories.map((_, i) => (series.points.find((p) => p[0] === i) || [i, null])[1])
                 : series.points.map(([x, y]) => ({x, y})),
      yAxisID: series.right ? "right" : "y",
      borderColor: colour,
      backgroundColor: bars ? colour : colour + (chart.kind === "dots" ? "99" : "33"),
      borderWidth: bars ? 0 : 1.75,
      borderDash: series.dashed ? [5, 4] : [],
      fill: series.filled ? "origin" : false,
      stepped: chart.kind === "step" ? "before" : false,
      pointRadius: chart.kind === "dots" ? 2.5 : series.points.length > 40 ? 0 : 2,
      pointHitRadius: 8,
      showLine: chart.kind !== "dots",
    };
  };

  const draw = (chart, number) => {
    const right = chart.series.some((series) => series.right);
    const bars = chart.kind === "bars";
    const x = bars ? {type: "category", grid: {display: false}, ticks: {color: ink}}
                   : axis(chart.xLabel, chart.mostX, false);
    new Chart(document.getElementById(`chart-${number}`), {
      type: bars ? "bar" : chart.kind === "dots" ? "scatter" : "line",
      data: {labels: bars ? chart.categories : undefined,
             datasets: chart.series.map((series, index) => dataset(chart, series, index))},
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, ...(bars ? {} : {parsing: false}),
        interaction: {mode: bars ? "index" : "nearest", intersect: false, axis: "x"},
        plugins: {
          legend: {display: chart.series.length > 1, labels: {color: ink, boxWidth: 14}},
          tooltip: {callbacks: {
            title: (items) => bars ? items[0].label : `${chart.xLabel}: ${shown(items[0].parsed.x)}`,
            label: (item) => `${item.dataset.label}: ${shown(item.parsed.y)}`,
          }},
        },
        scales: {
          x,
          y: axis(chart.yLabel, chart.mostY, chart.logY),
          ...(right ? {right: {...axis(chart.rightLabel, chart.mostRight, false), position: "right",
                               grid: {drawOnChartArea: false}}} : {}),
        },
      },
    });
  };

  const cell = (row, kind, text) => {
    const made = document.createElement(kind);
    made.textContent = text;
    row.append(made);
  };

  // The chart's numbers, made when they are first asked for.
  const list = (chart, number) => {
    const holder = document.getElementById(`numbers-${number}`);
    holder.parentElement.addEventListener("toggle", () => {
      const table = document.createElement("table");
      const head = table.createTHead().insertRow();
      for (const text of ["", chart.kind === "bars" ? "" : chart.xLabel, "value"]) cell(head, "th", text);
      const body = table.createTBody();
      for (const series of chart.series) {
        for (const [x, y] of series.points) {
          const row = body.insertRow();
          cell(row, "th", series.name);
          cell(row, "td", chart.kind === "bars" ? chart.categories[x] : shown(x));
          cell(row, "td", shown(y));
        }
      }
      holder.replaceChildren(table);
    }, {once: true});
  };

  charts.forEach((chart, number) => {
    draw(chart, number);
    list(chart, number);
  });
})();
