/* What the browser does by itself: theme, language, the current place, and the grid's refresh. */
(function () {
  const YEAR = 31536000;
  const keep = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=${YEAR}; SameSite=Lax`;
  };
  const dash = (window.dash_clientside = window.dash_clientside || {});
  dash.pilestream = {
    switchTheme(clicks, current) {
      const next = current === "dark" ? "light" : "dark";
      keep("pilestream_theme", next);
      return next;
    },
    switchLanguage(clicks) {
      const next = document.documentElement.lang.startsWith("zh") ? "en" : "zh";
      keep("pilestream_lang", next);
      const address = new URL(window.location.href);
      address.searchParams.delete("lang");
      window.location.assign(address.toString());
      return next;
    },
    markPlace(path, scheme) {
      document.body.dataset.agThemeMode = scheme === "dark" ? "dark" : "light";
      const place = path === "/" ? "/" : "/session";
      document.querySelectorAll(".nav-link").forEach((link) => {
        const here = new URL(link.href).pathname;
        const current = place === "/" ? here === "/" : here.startsWith("/session");
        link.classList.toggle("nav-current", current);
        if (current) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      });
      return window.dash_clientside.no_update;
    },
    refreshGrid(filters, gridId) {
      if (window.dash_ag_grid) {
        dash_ag_grid.getApiAsync(gridId).then((api) => {
          api.purgeInfiniteCache();
          api.paginationGoToFirstPage();
        });
      }
      return window.dash_clientside.no_update;
    },
    openRow(clicked) {
      if (clicked && clicked.data && clicked.data.path) return clicked.data.path;
      return window.dash_clientside.no_update;
    },
  };
})();
