(async () => {
  const packed = document.getElementById("plotly-gzip");
  const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const config = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };
  for (const figure of document.querySelectorAll("figure.chart")) {
    const plot = figure.querySelector(".plot");
    const { data, layout } = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    plot.hidden = false;
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
