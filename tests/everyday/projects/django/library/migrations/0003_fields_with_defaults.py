from decimal import Decimal

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0002_first_rows")]
    operations = [
        migrations.AddField("author", "country", models.CharField(max_length=2, default="NL")),
        migrations.AddField("author", "is_active", models.BooleanField(default=True)),
        migrations.AddField(
            "book",
            "price",
            models.DecimalField(max_digits=8, decimal_places=2, default=Decimal("9.50")),
            False,
        ),
        migrations.AddField("book", "printed_on", models.DateField(null=True)),
    ]
