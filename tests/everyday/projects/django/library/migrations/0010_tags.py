from django.db import migrations, models


def tag(apps, schema_editor):
    tags, book = apps.get_model("library", "Tag"), apps.get_model("library", "Book")
    short, _ = tags.objects.get_or_create(word="short")
    long, _ = tags.objects.update_or_create(word="long", defaults={"word": "long"})
    for each in book.objects.filter(pages__lt=200):
        each.tags.add(short)
    long.book_set.set(book.objects.filter(pages__gte=290))


class Migration(migrations.Migration):
    dependencies = [("library", "0009_json_and_arrays")]
    operations = [
        migrations.CreateModel(
            "Tag",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                    ),
                ),
                ("word", models.SlugField(unique=True)),
            ],
        ),
        migrations.AddField("book", "tags", models.ManyToManyField("library.Tag")),
        migrations.RunPython(tag, migrations.RunPython.noop),
    ]
