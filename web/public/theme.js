// Runs before the first paint, so that a chosen theme does not flash. Kept apart from the bundle: the content security
// policy allows no inline script.
(function () {
  try {
    var theme = localStorage.getItem('forerunner.theme')
    if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme
  } catch (e) {
    /* storage may be forbidden: the system's preference decides then */
  }
})()
