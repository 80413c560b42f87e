"""Names of the states in which data may lie, in the languages of the pages.

The states of the EEA, and some others with which sites work often; another is written by its code. A test holds
these lines against Babel, which is a development dependency.
Source: CLDR 47, ``common/main/<language>.xml``: ``territories``.
"""

from __future__ import annotations

_LANGUAGES = ("lv", "ru", "en", "et", "lt")

_NAMES = {
    "AT": ("Austrija", "Австрия", "Austria", "Austria", "Austrija"),
    "BE": ("Beļģija", "Бельгия", "Belgium", "Belgia", "Belgija"),
    "BG": ("Bulgārija", "Болгария", "Bulgaria", "Bulgaaria", "Bulgarija"),
    "CA": ("Kanāda", "Канада", "Canada", "Kanada", "Kanada"),
    "CH": ("Šveice", "Швейцария", "Switzerland", "Šveits", "Šveicarija"),
    "CY": ("Kipra", "Кипр", "Cyprus", "Küpros", "Kipras"),
    "CZ": ("Čehija", "Чехия", "Czechia", "Tšehhi", "Čekija"),
    "DE": ("Vācija", "Германия", "Germany", "Saksamaa", "Vokietija"),
    "DK": ("Dānija", "Дания", "Denmark", "Taani", "Danija"),
    "EE": ("Igaunija", "Эстония", "Estonia", "Eesti", "Estija"),
    "ES": ("Spānija", "Испания", "Spain", "Hispaania", "Ispanija"),
    "FI": ("Somija", "Финляндия", "Finland", "Soome", "Suomija"),
    "FR": ("Francija", "Франция", "France", "Prantsusmaa", "Prancūzija"),
    "GB": ("Apvienotā Karaliste", "Великобритания", "United Kingdom", "Ühendkuningriik", "Jungtinė Karalystė"),
    "GR": ("Grieķija", "Греция", "Greece", "Kreeka", "Graikija"),
    "HR": ("Horvātija", "Хорватия", "Croatia", "Horvaatia", "Kroatija"),
    "HU": ("Ungārija", "Венгрия", "Hungary", "Ungari", "Vengrija"),
    "IE": ("Īrija", "Ирландия", "Ireland", "Iirimaa", "Airija"),
    "IL": ("Izraēla", "Израиль", "Israel", "Iisrael", "Izraelis"),
    "IS": ("Islande", "Исландия", "Iceland", "Island", "Islandija"),
    "IT": ("Itālija", "Италия", "Italy", "Itaalia", "Italija"),
    "JP": ("Japāna", "Япония", "Japan", "Jaapan", "Japonija"),
    "KR": ("Dienvidkoreja", "Республика Корея", "South Korea", "Lõuna-Korea", "Pietų Korėja"),
    "LI": ("Lihtenšteina", "Лихтенштейн", "Liechtenstein", "Liechtenstein", "Lichtenšteinas"),
    "LT": ("Lietuva", "Литва", "Lithuania", "Leedu", "Lietuva"),
    "LU": ("Luksemburga", "Люксембург", "Luxembourg", "Luksemburg", "Liuksemburgas"),
    "LV": ("Latvija", "Латвия", "Latvia", "Läti", "Latvija"),
    "MT": ("Malta", "Мальта", "Malta", "Malta", "Malta"),
    "NL": ("Nīderlande", "Нидерланды", "Netherlands", "Holland", "Nyderlandai"),
    "NO": ("Norvēģija", "Норвегия", "Norway", "Norra", "Norvegija"),
    "NZ": ("Jaunzēlande", "Новая Зеландия", "New Zealand", "Uus-Meremaa", "Naujoji Zelandija"),
    "PL": ("Polija", "Польша", "Poland", "Poola", "Lenkija"),
    "PT": ("Portugāle", "Португалия", "Portugal", "Portugal", "Portugalija"),
    "RO": ("Rumānija", "Румыния", "Romania", "Rumeenia", "Rumunija"),
    "SE": ("Zviedrija", "Швеция", "Sweden", "Rootsi", "Švedija"),
    "SI": ("Slovēnija", "Словения", "Slovenia", "Sloveenia", "Slovėnija"),
    "SK": ("Slovākija", "Словакия", "Slovakia", "Slovakkia", "Slovakija"),
    "UA": ("Ukraina", "Украина", "Ukraine", "Ukraina", "Ukraina"),
    "US": (
        "Amerikas Savienotās Valstis",
        "Соединенные Штаты",
        "United States",
        "Ameerika Ühendriigid",
        "Jungtinės Valstijos",
    ),
}


def territory_name(code: str, language: str) -> str:
    """Return what a state is called; its code where the language or the state has no entry.

    Args:
        code: ISO 3166-1 alpha-2, as ``LV``.
        language: BCP 47 tag.
    """
    base = language.partition("-")[0].lower()
    if code not in _NAMES or base not in _LANGUAGES:
        return code
    return _NAMES[code][_LANGUAGES.index(base)]
