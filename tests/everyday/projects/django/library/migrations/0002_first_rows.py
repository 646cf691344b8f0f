from django.db import migrations


def fill(apps, schema_editor):
    author, book = apps.get_model("library", "Author"), apps.get_model("library", "Book")
    authors = author.objects.bulk_create(author(full_name=f"Writer {n}") for n in range(20))
    book.objects.bulk_create(
        book(title=f"Book {n}", pages=100 + n if n % 3 else None, author=authors[n % 20]) for n in range(200)
    )


def empty(apps, schema_editor):
    apps.get_model("library", "Book").objects.all().delete()
    apps.get_model("library", "Author").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("library", "0001_initial")]
    operations = [migrations.RunPython(fill, empty)]
