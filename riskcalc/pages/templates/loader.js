(() => {
  let unpacked;
  const unpack = async () => {
    const bytes = Uint8Array.from(atob(document.getElementById("plotly-gzip").textContent.trim()), (c) => c.charCodeAt(0));
    const script = document.createElement("script");
    script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(script);
  };
  const config = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };
  const drawing = new Map();
  const draw = (figure) => drawing.get(figure) ?? drawing.set(figure, drawn(figure)).get(figure);
  const drawn = async (figure) => {
    figure.classList.add("drawn");
    const plot = figure.querySelector(".plot");
    const { data, layout } = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    try {
      await (unpacked ??= unpack());
      plot.hidden = false;
      await Plotly.newPlot(plot, data, { ...layout, autosize: true }, config);
      figure.querySelector("details")?.removeAttribute("open");
    } catch (error) {
      plot.hidden = true;
      figure.classList.remove("drawn");
      drawing.delete(figure);
      console.error(error);
    }
  };
  const figures = [...document.querySelectorAll("figure.chart")];
  const waiting = figures.filter((figure) => !figure.querySelector(".picture"));
  document.addEventListener("draw-all", async () => {
    await Promise.all(waiting.map(draw));
    document.documentElement.dataset.charts = "all";
  });
  const start = () => {
    const seen = new IntersectionObserver(
      async (entries) => {
        await Promise.all(entries.filter((each) => each.isIntersecting && waiting.includes(each.target)).map((each) => draw(each.target)));
        document.documentElement.dataset.charts ??= "ready"; // where all are drawn that stays
        performance.mark("charts-ready");
      },
      { rootMargin: "200px" },
    );
    seen.observe(document.querySelector("h1") ?? document.body);
    for (const figure of waiting) seen.observe(figure);
    for (const figure of figures.filter((each) => !waiting.includes(each))) {
      const button = document.createElement("button");
      button.textContent = "Explore this chart";
      button.addEventListener("click", () => {
        button.remove();
        draw(figure);
      });
      figure.querySelector(".picture").append(button);
    }
    addEventListener("beforeprint", () => {
      for (const plot of document.querySelectorAll(".drawn .plot")) Plotly.relayout(plot, { width: 660, autosize: false });
    });
    addEventListener("afterprint", () => {
      for (const plot of document.querySelectorAll(".drawn .plot")) Plotly.relayout(plot, { width: null, autosize: true });
    });
  };
  afterFrame(start);
})();
