"""No pages are served."""

urlpatterns = []
