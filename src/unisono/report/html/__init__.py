"""The report as one HTML file that needs nothing else, and as Markdown.

**Conventions.** Whatever comes from data (ids, labels, titles, lyrics, file names) is escaped by `markup.tag` or by
`markup.to_json`, and put into the page by the script as text, never as HTML. The page's policy forbids every network
request, and every script and style but its own.
"""
