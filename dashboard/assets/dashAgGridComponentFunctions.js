/* How the cells of the sessions' grid are drawn; every text in them comes from the server. */
var dagcomponentfuncs = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

dagcomponentfuncs.SessionLink = function (props) {
  if (!props.data) return null;
  return React.createElement("a", { href: props.data.path, className: "cell-link" }, props.value);
};

dagcomponentfuncs.CodeBadges = function (props) {
  if (!props.data) return null;
  const badges = (text, kind) =>
    text
      .split(",")
      .filter(Boolean)
      .map((code) => React.createElement("span", { key: code, className: "badge " + kind }, code));
  const shown = props.data.codes ? badges(props.data.codes, "badge-warn") : badges(props.data.codes_raw, "badge-struck");
  return React.createElement("span", { className: "badges", title: props.data.codes_note }, shown);
};

dagcomponentfuncs.StateBadge = function (props) {
  if (!props.data) return null;
  return React.createElement("span", { className: "badge badge-" + props.data.tone }, props.value);
};
