(async () => {
  const packed = document.getElementById("plotly-gzip");
  const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const config = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };
  // A phone shows the whole chart: of "ID  Title" labels the ids, for the titles are in the data below.
  const narrow = (plot, data, layout) => {
    const { xaxis = {}, yaxis = {} } = layout;
    const labels = yaxis.ticktext ?? [...new Set(data.flatMap(({ y }) => y ?? []))];
    if (labels.some((label) => String(label).includes("  "))) {
      const ticktext = labels.map((label) => String(label).split("  ")[0]);
      layout.yaxis = { ...yaxis, tickvals: yaxis.tickvals ?? labels, ticktext };
    }
    const text = xaxis.title?.text?.replace(/^(.{20}\S*) /, "$1<br>");
    layout.xaxis = { ...xaxis, title: { ...xaxis.title, text } };
    plot.style.minWidth = "0";
  };
  for (const figure of document.querySelectorAll("figure.chart")) {
    const plot = figure.querySelector(".plot");
    const { data, layout } = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    plot.hidden = false;
    if (plot.parentElement.clientWidth < Number(plot.dataset.least)) {
      narrow(plot, data, layout);
    }
    try {
      await Plotly.newPlot(plot, data, { ...layout, autosize: true }, config);
      figure.querySelector("details")?.removeAttribute("open");
      figure.classList.add("drawn");
    } catch (error) {
      plot.hidden = true;
      console.error(error);
    }
  }
  const fit = (width) => {
    for (const plot of document.querySelectorAll(".drawn .plot")) {
      const least = Number(plot.dataset.least);
      Plotly.relayout(plot, width ? { width: least, autosize: false } : { width: null, autosize: true });
      plot.style.zoom = width ? Math.min(1, width / least) : "";
    }
  };
  window.addEventListener("beforeprint", () => fit(660));
  window.addEventListener("afterprint", () => fit(null));
  document.documentElement.dataset.charts = "ready";
})();
