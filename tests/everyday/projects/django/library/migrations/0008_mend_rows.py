from django.db import migrations
from django.db.models import F


def fill(apps, schema_editor):
    book = apps.get_model("library", "Book")
    book.objects.filter(pages__isnull=True).update(pages=0)
    book.objects.filter(pages__gt=250).update(price=F("price") * 2)
    for each in book.objects.select_related("author").order_by("pk").iterator(chunk_size=50):
        each.title = f"{each.title} by {each.author.name}"
        each.save(update_fields=["title"])


class Migration(migrations.Migration):
    dependencies = [("library", "0007_constraints")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
