from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Author",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                    ),
                ),
                ("full_name", models.CharField(max_length=60)),
            ],
        ),
        migrations.CreateModel(
            "Book",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=100)),
                ("pages", models.IntegerField(null=True)),
                ("author", models.ForeignKey("library.Author", models.CASCADE)),
            ],
        ),
        migrations.CreateModel(
            "Loan",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                    ),
                ),
                ("book", models.ForeignKey("library.Book", models.CASCADE)),
                ("since", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
