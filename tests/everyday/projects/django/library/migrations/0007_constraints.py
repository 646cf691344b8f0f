from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0006_index_concurrently")]
    operations = [
        migrations.AddConstraint(
            "author", models.UniqueConstraint(fields=["name", "country"], name="one_writer")
        ),
        migrations.AddConstraint(
            "book", models.CheckConstraint(condition=models.Q(price__gte=0), name="price_is_positive")
        ),
    ]
