// Draws the hourly traffic; the same numbers stand in the table beneath.
"use strict";
(function () {
  const box = document.querySelector("[data-chart]");
  if (!box || !window.uPlot) return;
  const series = JSON.parse(box.dataset.series);
  let plot = null;
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
  function axis(extra) {
    return Object.assign({
      stroke: colour("--muted"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    }, extra);
  }
  function draw() {
    if (plot) plot.destroy();
    const bars = window.uPlot.paths.bars({ size: [0.7, 40] });
    plot = new window.uPlot({
      width: Math.max(box.clientWidth, 260), height: 240, legend: { live: true },
      scales: { held: { range: (u, low, high) => [0, Math.max(high, 4)] }, y: { range: (u, low, high) => [0, Math.max(high * 1.05, 4)] } },
      axes: [axis({ values: (u, times) => times.map((t) => new Date(t * 1000).toISOString().slice(11, 16)) }), axis({ size: 54 }), axis({ scale: "held", side: 1, grid: { show: false } })],
      series: [
        { label: "hour (UTC)", value: (u, t) => (t ? new Date(t * 1000).toISOString().slice(0, 16).replace("T", " ") : "") },
        { label: "not held", stroke: colour("--accent"), fill: colour("--accent-soft"), paths: bars, points: { show: false } },
        { label: "held (right)", scale: "held", stroke: colour("--critical"), width: 2, points: { size: 6 } },
      ],
    }, [series.hours, series.arrived, series.held], box);
  }
  draw();
  window.addEventListener("resize", draw);
  window.addEventListener("theme", draw);
})();
