"""One file per noun; `application.ROUTES` lists them."""
